"""What a caller gives, as blocks of samples, and where in them speech is."""
