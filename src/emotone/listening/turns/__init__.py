"""Turns, who speaks when: read from files, and classified one by one."""
