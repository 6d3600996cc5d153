# Reads every .eml of a folder with the strict policy and prints as JSON what it found.
import email, email.policy, json, pathlib, sys

KNOWN = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "X-Watchkeeper-Incident", "X-Watchkeeper-Reason",
    "X-Watchkeeper-Priority", "X-Watchkeeper-Item", "X-Watchkeeper-Rule", "List-Id", "Importance", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}

found = {}
for path in pathlib.Path(sys.argv[1]).glob("*.eml"):
    bytes_ = path.read_bytes()
    # Lines end in CRLF and nothing else; none is longer than SMTP allows; none is a lone dot.
    defects = [f"line {n}" for n, line in enumerate(bytes_.split(b"\r\n")) if b"\n" in line or b"\r" in line or len(line) > 998 or line == b"."]
    mail = email.message_from_bytes(bytes_, policy=email.policy.strict)
    defects += [str(defect) for part in mail.walk() for defect in part.defects]
    defects += [f"{name}: {defect}" for name, value in mail.items() for defect in value.defects]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    found[path.stem] = {
        "defects": defects,
        "types": [part.get_content_type() for part in mail.walk()],
        "strange": sorted(set(mail.keys()) - KNOWN),
        "text": text.get_content().replace("\r\n", "\n") if text else "",
        "html": html.get_content().replace("\r\n", "\n") if html else "",
        "subject": mail["Subject"],
        "to": mail["To"],
        "message-id": mail["Message-ID"],
        "reason": mail["X-Watchkeeper-Reason"],
    }
json.dump(found, sys.stdout)
