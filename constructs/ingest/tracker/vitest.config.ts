import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { environment: "happy-dom", environmentOptions: { happyDOM: { url: "https://shop.example/boots?q=&utm_source=mail&token=secret" } }, include: ["test/*.test.ts"], restoreMocks: true },
});
