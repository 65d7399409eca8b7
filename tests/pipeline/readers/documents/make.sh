#!/bin/sh
# Makes the documents in this folder from source.md, slides.md, table.csv, letter.html and columns.tex, whose text was written for
# this project (Apache-2.0 as the rest of it). Needs Debian's pandoc, abiword, libreoffice-{writer,calc,impress}-nogui, chromium,
# texlive-xetex, texlive-lang-chinese, fonts-wqy-microhei and qpdf. The tests need none of these.
set -eu
cd "$(dirname "$0")"
home=$(mktemp -d)
office() { soffice "-env:UserInstallation=file://$home" --headless --convert-to "$@" >/dev/null; }

for kind in docx odt epub pptx rtf; do pandoc -s source.md -o "pandoc.$kind"; done
pandoc -s source.md -t epub2 -o pandoc2.epub
office docx:"MS Word 2007 XML" --outdir "$home" pandoc.odt && mv "$home/pandoc.docx" office.docx
office odt --outdir "$home" pandoc.docx && mv "$home/pandoc.odt" office.odt
office rtf --outdir "$home" pandoc.docx && mv "$home/pandoc.rtf" office.rtf
abiword --to=rtf -o abiword.rtf office.odt
office pptx:"Impress MS PowerPoint 2007 XML" --outdir "$home" pandoc.pptx && mv "$home/pandoc.pptx" office.pptx
office odp --outdir "$home" pandoc.pptx && mv "$home/pandoc.odp" office.odp
pandoc -s slides.md -o slides.pptx
office odp --outdir "$home" slides.pptx && mv "$home/slides.odp" slides.odp
for kind in xlsx ods xls; do office "$kind" --infilter="CSV:44,34,76,1" --outdir "$home" table.csv && mv "$home/table.$kind" "office.$kind"; done
office pdf --outdir "$home" office.docx && mv "$home/office.pdf" office.pdf
chromium --headless --no-sandbox --disable-gpu --user-data-dir="$home/chromium" --no-pdf-header-footer --print-to-pdf=chromium.pdf letter.html
xelatex -interaction=batchmode -output-directory="$home" columns.tex && mv "$home/columns.pdf" xelatex.pdf
qpdf --encrypt secret secret 256 -- office.pdf locked.pdf
rm -r "$home"
