"""Pictures and text of results: plotly's JSON from plain arrays, with every name made inert."""
