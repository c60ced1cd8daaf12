"""Autobahn|Testsuite against `examples/websocket_echo.py`: some 500 cases, played by its fuzzing client."""
