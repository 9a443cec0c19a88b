"""Tests of the plugins, each against files it makes itself."""
