// Reads simulations from standard input as an array in JSON and answers each
// with its result and the context that says nothing about its action, or with
// an error where its policies or its request make no sense.
import { text } from 'node:stream/consumers'
import { runSimulation } from '@cloud-copilot/iam-simulate'

// The simulator looks for what varies in a context key's name behind a slash
// only, and so drops this one from requests; another key stands in for it.
const readable = (json) => json.replaceAll('kms:EncryptionContext:', 'aws:RequestTag/')

const answers = []
for (const simulation of JSON.parse(readable(await text(process.stdin)))) {
  const got = await runSimulation(simulation, {})
  const ignored = [got.result, ...(got.results ?? [])].flatMap((r) => r?.ignoredContextKeys ?? [])
  answers.push(got.resultType === 'error' ? { error: JSON.stringify(got.errors) } : { result: got.overallResult, ignored })
}
process.stdout.write(JSON.stringify(answers))
