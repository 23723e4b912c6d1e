"""Where modelpriv meets other systems; each module needs an extra of its own, and nothing else needs them."""
