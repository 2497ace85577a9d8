"""Devices that speak only the older dialect: ``<prefix>/<id>/command``, ``result`` and ``status``, no more.

They describe nothing and retain nothing, so what they can do is told by their messages, by the configuration,
or by the names of their tasks.
"""
