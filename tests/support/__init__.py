"""What the tests of whole programs share: real parts, each started in a private folder."""
