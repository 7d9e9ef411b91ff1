// A mail server for tests. Says {"port"}, then each message it took as {"from","to","data"}, one a line. A recipient gone@… is
// answered 550, one later@… 451.
const fs = require("fs");
const { SMTPServer } = require("smtp-server");

const options = JSON.parse(process.argv[2]); // tls: starttls|implicit|off, certificate, key, user, password
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const refuse = (responseCode, message) => Object.assign(new Error(message), { responseCode });

const server = new SMTPServer({
    secure: options.tls === "implicit",
    cert: options.certificate && fs.readFileSync(options.certificate),
    key: options.key && fs.readFileSync(options.key),
    disabledCommands: [options.tls !== "starttls" && "STARTTLS", !options.user && "AUTH"].filter(Boolean),
    authOptional: !options.user,
    allowInsecureAuth: options.tls === "off",
    authMethods: ["PLAIN", "LOGIN"],
    onAuth: (auth, session, done) =>
        auth.username === options.user && auth.password === options.password
            ? done(null, { user: auth.username })
            : done(refuse(535, `No such login: ${auth.username} ${auth.password}`)), // careless, as some are
    onRcptTo: ({ address }, session, done) =>
        address.startsWith("gone@") ? done(refuse(550, "5.1.1 No such mailbox"))
        : address.startsWith("later@") ? done(refuse(451, "4.7.1 Greylisted"))
        : done(),
    onData: (stream, { envelope }, done) => {
        const parts = [];
        stream.on("data", (part) => parts.push(part));
        stream.on("end", () => {
            say({
                from: envelope.mailFrom.address,
                to: envelope.rcptTo.map((one) => one.address),
                data: Buffer.concat(parts).toString(),
            });
            done();
        });
    },
});
server.on("error", () => {}); // a client that leaves in the middle
server.listen(0, "127.0.0.1", () => say({ port: server.server.address().port }));
