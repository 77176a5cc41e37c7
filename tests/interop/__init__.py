"""Another client of the protocol, written from docs/protocol.md alone. It shares nothing with the programs in C."""
