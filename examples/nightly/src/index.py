"""Sweeps up what is too old: what its schedule hands it says how old that is."""

from datetime import datetime, timedelta, timezone


def handler(event, context):
    before = datetime.now(timezone.utc) - timedelta(days=event["days"])
    print(f"sweeping up what is older than {before:%Y-%m-%d}")
    return {"before": f"{before:%Y-%m-%d}"}
