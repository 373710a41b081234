"""The journal, alone and shared by several processes."""
