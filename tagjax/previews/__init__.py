"""Previews of tracks through Deezer's public API, as the authors' lists need them.

ids       which tracks are asked for
limiter   how fast the API may be asked
client    one track: its metadata and its audio, with retries
ledger    what is known of every track, on disk
fetch     all tracks at once
report    what was found
"""
