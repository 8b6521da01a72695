"""The switch's side of a call, for people and tests: speaks as FreeSWITCH does, hears as a caller does."""
