"""What a request contains: the recording, the files that belong to it, the settings, and the format of the answer."""
