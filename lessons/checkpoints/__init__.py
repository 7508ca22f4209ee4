"""Official weight files, read by their own key names; nothing in a file is ever executed."""
