"""Sheets that leave the house: templates to be filled in, and exports that may be edited and come back.

kinds      which sheets there are, and what columns say what a row is
columns    the columns of a sheet: headers that map back, how a value looks, how wide
examples   the row that shows how a template is filled in
template   a workbook to be filled in          rules      what Excel checks while it is
asking     what an export asks of the books: columns, conditions, pages
cells      pages of stored values as cells
stream     .xlsx written in blocks             texts      .csv
export     pages into a file                   acts       what may be asked
"""
