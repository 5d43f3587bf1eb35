"""The administration of devices for those who mend them: found, understood, acted upon, read in and written out."""
