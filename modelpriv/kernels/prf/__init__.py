"""What a keyed tag chooses: a pseudonym, a fake, a rotation."""
