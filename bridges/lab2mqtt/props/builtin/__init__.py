"""Workers that every worker host has; each file is one, and those of one's own folder come before these."""
