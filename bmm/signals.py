"""What BMM tells the layers above.

`controller_suspected` is sent after the commit, once for each time that a power controller falls under suspicion, with
`controller_id`. The row (`PowerController.suspect_until`) is what counts: a lost signal costs a pulse. A receiver that
fails is logged and disturbs nobody.
"""

from django.dispatch import Signal

controller_suspected = Signal()
