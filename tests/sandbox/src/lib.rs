//! A strict stand-in for Zendesk and for a directory server, for tests and the quickstart.
