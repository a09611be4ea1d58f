"""The pictures of the course, drawn from a run: python docs/diagrams/pictures.py runs/course"""

import sys
from pathlib import Path

from freerun.report.exposure import exposure_panels
from freerun.report.figures import learning_panels
from freerun.report.folder import read_run
from freerun.report.svg import standalone

run = read_run(Path(sys.argv[1]))
names = ("exposure_probe", "exposure_prefix", "exposure_wrong_token", "exposure_forgotten")
pictures = {"learning_curve": learning_panels([run])[0]} | dict(zip(names, exposure_panels([run]), strict=True))
for name, panel in pictures.items():
    path = Path(__file__).with_name(f"{name}.svg")
    path.write_text(standalone(panel.svg), "utf-8")
    print(path, panel.caption, sep="\n")
