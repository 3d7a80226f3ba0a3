"""Run the benchmarks and write ``benchmarks/RESULTS.md``."""

import click
from pathlib import Path
from benchmarks.cases import CASES
from benchmarks import epochs
from benchmarks.contenders import CONTENDERS
import sys

def tell(t): click.echo(t, err=True)
for i in map(int, sys.argv[1].split(",")):
    c = CASES[i]
    tell(c.name)
    r = epochs.measure(c, sys.argv[2].split(",") if len(sys.argv)>2 else CONTENDERS, Path("/tmp/dd"), tell)
    for n in r.times: tell(f"{n} ratio {r.ratio(n):.3f} acc {r.times[n].accuracy} loss {r.times[n].loss} {r.times[n].versions} {[round(s,3) for s in r.times[n].seconds]}")
    for f in r.failures(): tell("MISSED "+f)
