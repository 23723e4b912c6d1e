"""What shows how safe a table, a model or a key is."""
