"""A mail server (aiosmtpd) that keeps what it takes as files, and at chosen steps refuses, hangs, drops or lies.

usage: server.py MAILBOX [--tls none|starttls|implicit] [--cert PEM --key PEM] [--login USER:PASSWORD] [--do STEP=WHAT[*TIMES]]... [--refuse ADDRESS]

STEP: greeting EHLO STARTTLS AUTH MAIL RCPT DATA message (after the final dot).   WHAT: a reply code, hang, drop, inject.
Prints its port. Each mail is on the disk, as N.eml, before it is acknowledged; commands.log has what was said, with `tls ` where it was under TLS.
"""

import argparse
import asyncio
import os
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Drop(Exception):
    """The connection is closed."""


class Mailbox:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kept = len(list(self.folder.glob("*.eml")))

    def keep(self, content):
        self.kept += 1
        beside, path = self.folder / f".{self.kept}.tmp", self.folder / f"{self.kept:06}.eml"
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)

    def note(self, line):
        with open(self.folder / "commands.log", "a") as file:
            file.write(line + "\n")


class Handler:
    def __init__(self, mailbox, script, refused):
        self.mailbox, self.script, self.refused = mailbox, script, refused

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, server, session, envelope):
        what = self.script.next("message")
        if what is None or what == "drop":
            self.mailbox.keep(envelope.original_content)
        return await server.does(what) or "250 taken"


class Script:
    def __init__(self, steps):
        self.steps = {}
        for step in steps:
            name, what = step.split("=", 1)
            what, _, times = what.partition("*")
            self.steps[name] = [what, int(times) if times else -1]

    def next(self, name):
        step = self.steps.get(name)
        if step is None or step[1] == 0:
            return None
        step[1] -= 1
        return step[0]


class Server(SMTP):
    def __init__(self, handler, **options):
        self.greeted = False
        super().__init__(handler, **options)

    async def does(self, what):
        """What is done at a step: the reply, or None for yes."""
        if what is None:
            return None
        if what == "hang":
            await asyncio.sleep(3600)
        if what == "drop":
            self.transport.abort()
            raise Drop
        return f"{what} scripted"

    async def push(self, status):
        if not self.greeted:
            self.greeted = True
            status = await self.does(self.event_handler.script.next("greeting")) or status
        await super().push(status)

    async def step(self, name, arg, otherwise):
        under = "tls " if self.session.ssl is not None or self.transport.get_extra_info("sslcontext") else ""
        self.event_handler.mailbox.note(f"{under}{name}")
        what = self.event_handler.script.next(name)
        if what == "inject":
            self._writer.write(b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n")
            await self._writer.drain()
            return None
        said = await self.does(what)
        return await (self.push(said) if said else otherwise(arg))

    async def smtp_EHLO(self, arg):
        await self.step("EHLO", arg, super().smtp_EHLO)

    async def smtp_STARTTLS(self, arg):
        await self.step("STARTTLS", arg, super().smtp_STARTTLS)

    async def smtp_AUTH(self, arg):
        await self.step("AUTH", arg, super().smtp_AUTH)

    async def smtp_MAIL(self, arg):
        await self.step("MAIL", arg, super().smtp_MAIL)

    async def smtp_RCPT(self, arg):
        await self.step("RCPT", arg, super().smtp_RCPT)

    async def smtp_DATA(self, arg):
        await self.step("DATA", arg, super().smtp_DATA)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mailbox")
    parser.add_argument("--tls", default="none", choices=["none", "starttls", "implicit"])
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--login")
    parser.add_argument("--do", action="append", default=[])
    parser.add_argument("--refuse")
    options = parser.parse_args()
    context = None
    if options.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert, options.key)
    handler = Handler(Mailbox(options.mailbox), Script(options.do), options.refuse)

    def authenticate(server, session, envelope, mechanism, data):
        user, password = options.login.split(":", 1)
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=good, handled=False)

    def server():
        return Server(
            handler,
            hostname="mail.example.org",
            tls_context=context if options.tls == "starttls" else None,
            require_starttls=options.tls == "starttls",
            authenticator=authenticate if options.login else None,
            auth_required=bool(options.login),
            auth_require_tls=options.tls == "starttls",
        )

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=context if options.tls == "implicit" else None)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


asyncio.run(main())
