"""`report.html`: what a bulk run found, on one page that needs nothing else.

It is made from the tables that the run leaves and from the texts of the few articles that are shown; what it keeps in
memory grows with the repeated rows' ids, never with texts.
"""

from baznashr_server.bulk.report.charts import warm_up
from baznashr_server.bulk.report.page import write_report

__all__ = ["warm_up", "write_report"]
