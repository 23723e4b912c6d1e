"""The bytes of a sealed file: prelude, manifest, slots, body, trailer."""
