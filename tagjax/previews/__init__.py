"""Previews of tracks from Deezer's public API, which the authors' lists need.

ids       the ids of the tracks to fetch
limiter   the pace of requests to the API
client    fetches one track: its metadata and its audio, with retries
ledger    keeps on disk what is known of each track
fetch     fetches many tracks at once
report    counts the tracks that were found
"""
