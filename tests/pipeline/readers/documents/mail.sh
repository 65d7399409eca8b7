#!/bin/sh
# Makes the messages in this folder from letter.txt, letter.html and table.csv, which were written for this project
# (Apache-2.0 as the rest of it). Needs Debian's mutt, mpack and git. The tests need none of these.
set -eu
cd "$(dirname "$0")"
home=$(mktemp -d)
export HOME="$home" EMAIL="cun@example.org"
printf '#!/bin/sh\ncat >"%s/sent"\n' "$home" >"$home/send" && chmod +x "$home/send"
write() {
	name=$1 charset=$2
	shift 2
	LC_ALL=C.UTF-8 mutt -n -F /dev/null -e "set sendmail='$home/send' send_charset='$charset' use_envelope_from=no record='$home/box' mbox_type=mbox copy=yes" \
		-e 'set realname="石桥村"' -s '关于清明植树与春茶开采的通知，请各家互相转告，不要误了时间' "$@"
	sleep 1; [ -z "$name" ] || mv "$home/sent" "$name"
}
write mutt.eml gb2312 -a table.csv -- xiang@example.org <letter.txt
write "" gbk -e 'set content_type=text/html' -- xiang@example.org <letter.html
mv "$home/box" mutt.mbox
mpack -s 'table' -d letter.txt -o mpack.eml table.csv
git -c init.defaultBranch=main init -q "$home/work" && cp letter.txt "$home/work"
(cd "$home/work" && git add . && git -c user.name=石桥村 -c user.email=cun@example.org commit -qm '记下清明植树的通知：请各家互相转告，不要误了时间' && git format-patch --root --stdout) >git.mbox
rm -r "$home"
