#!/usr/bin/env python3
"""Starts a server as hosts on Node do: its stdin and stdout are one socket pair. The SDK gives this
script pipes; bytes are handed on as they are.
usage: socket_pair.py CMD [ARGS...]"""
import os
import socket
import subprocess
import sys
import threading

ours, theirs = socket.socketpair()
server = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
theirs.close()


def hand_on_input() -> None:
    while chunk := os.read(0, 65536):
        ours.sendall(chunk)
    ours.shutdown(socket.SHUT_WR)


threading.Thread(target=hand_on_input, daemon=True).start()
while chunk := ours.recv(65536):
    os.write(1, chunk)
sys.exit(server.wait())
