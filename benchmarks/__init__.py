"""Speed and accuracy of dlcli, also compared with other frameworks (``make bench``)."""
