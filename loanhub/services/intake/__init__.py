"""Files in, records out: a workbook dropped in a folder becomes customers, loans, credit and follow-ups.

spool    read a file in a limited child process into scratch      layout   where the table is in a sheet
mapping  which column is which field, asked once when unsure      check    cells to values, all problems
people   who is who, in the file and in the book                  land     rows to records, one chunk an act
said     what a source last said, and what it says now            report   the answer to the clerk
job      a file from claimed to stored, resumable anywhere        undo     take a batch back
acts     what may be asked of batches and mappings
"""
