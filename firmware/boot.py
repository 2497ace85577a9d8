"""Takes the place of the boot.py of the ESP32's port, which may start WebREPL. All happens in main.py."""
