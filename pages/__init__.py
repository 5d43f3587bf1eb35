"""The web pages: server-rendered, live, on top of all layers. They read, and ask services; they store nothing."""
