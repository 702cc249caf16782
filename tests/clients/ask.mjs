// `node ask.mjs BASE_URL KEY MODEL TEXTS`: have OpenAI's JavaScript client embed the texts, and print the vectors as JSON.
import OpenAI from "openai";

const [baseUrl, apiKey, model, texts] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey });
// It asks for base64 by itself, and decodes it.
const found = await client.embeddings.create({ model, input: JSON.parse(texts) });
try {
  await client.embeddings.create({ model: "another", input: "text" });
  throw new Error("no NotFoundError");
} catch (error) {
  if (!(error instanceof OpenAI.NotFoundError) || error.code !== "model_not_found") throw error;
}
console.log(JSON.stringify(found.data.map((item) => item.embedding)));
