import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const SRC = new URL('../src', import.meta.url).pathname
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => /words\.ts$/.test(name) && name !== 'shell/words.ts')
const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => [name, readFileSync(join(SRC, name), 'utf8')] as const)

describe.each(files)('%s', async (name) => {
  const module = await import(join(SRC, name))
  for (const [exported, dictionary] of Object.entries<any>(module)) {
    if (!dictionary?.texts) continue
    const { en, ko } = dictionary.texts as { en: Record<string, string>; ko: Record<string, string> }

    test(`${exported} says the same facts in both languages`, () => {
      const facts = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()
      expect(Object.keys(ko).sort()).toEqual(Object.keys(en).sort())
      for (const key of Object.keys(en)) expect([key, facts(ko[key]!)]).toEqual([key, facts(en[key]!)])
    })

    test(`${exported} holds no word that nobody says`, () => {
      const others = sources.filter(([source]) => source !== name).map(([, text]) => text).join('\n')
      const unused = Object.keys(en).filter((key) => !new RegExp(`['"\`.]${key}['"\`]|\\b${key}:`).test(others))
      // States, reasons and the like are looked up by what the server says.
      if (!module.FROM_SERVER?.includes(exported)) expect(unused).toEqual([])
    })
  }
})
