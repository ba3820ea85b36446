"""The application: what screen and command line both ask for."""
