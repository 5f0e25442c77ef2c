// Two libraries that know nothing of Leadwire, each asked line by line on standard input:
//   {"library": "wecom" | "wechat", "token", "key", "id", "timestamp", "nonce", "encrypted", "message"}
// Answers with what it reads in `encrypted`, and with its own text for `message`:
//   {"message", "id", "signature", "encrypted", "encryptedSignature"}

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import path from "node:path";

const installed = createRequire(path.join(path.resolve(process.argv[2]), "package.json"));
const wecom = installed("@wecom/crypto");
const WXBizMsgCrypt = installed("wechat-crypto");

const libraries = {
  wecom: ({ token, key, id }) => ({
    decrypt: (text) => wecom.decrypt(key, text),
    encrypt: (message) => wecom.encrypt(key, message, id),
    sign: (timestamp, nonce, text) => wecom.getSignature(token, timestamp, nonce, text),
  }),
  wechat: ({ token, key, id }) => {
    const crypt = new WXBizMsgCrypt(token, key, id);
    return {
      decrypt: (text) => crypt.decrypt(text),
      encrypt: (message) => crypt.encrypt(message),
      sign: (timestamp, nonce, text) => crypt.getSignature(timestamp, nonce, text),
    };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const library = libraries[asked.library](asked);
  const { message, id } = library.decrypt(asked.encrypted);
  const signature = library.sign(asked.timestamp, asked.nonce, asked.encrypted);
  const encrypted = library.encrypt(asked.message);
  const encryptedSignature = library.sign(asked.timestamp, asked.nonce, encrypted);
  console.log(JSON.stringify({ message, id, signature, encrypted, encryptedSignature }));
}
