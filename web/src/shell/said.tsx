/** What the server says in sentences, in the language of the page. */
import { signal } from '@preact/signals'
import { language } from './words'

const FACT = /\\\{(\w+)\\\}/g
const ANYWHERE = '{path}: {why}'

interface Phrase {
  en: string
  pattern: RegExp
  names: string[]
  ko: string
}

/** Fetched when something is to be said in Korean for the first time. */
const known = signal<Phrase[] | null>(null)
let asked = false

export async function learn(): Promise<void> {
  if (asked) return
  asked = true
  const { PHRASES } = await import('./phrases')
  // Those with more words of their own first.
  const own = (en: string) => en.replace(/\{\w+\}/g, '').length
  known.value = Object.entries(PHRASES)
    .map(([en, ko]): Phrase => {
      const plain = en.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      return { en, pattern: new RegExp(`^${plain.replace(FACT, '(.+?)')}$`, 's'), names: [...plain.matchAll(FACT)].map(([, name]) => name as string), ko }
    })
    .sort((a, b) => own(b.en) - own(a.en))
}

/** A sentence in Korean; null where nobody has translated it. */
export function inKorean(sentence: string): string | null {
  for (const { en, pattern, names, ko } of known.value ?? []) {
    const found = pattern.exec(sentence)
    if (!found) continue
    const facts = Object.fromEntries(names.map((name, i) => [name, found[i + 1] as string]))
    // Everything with a colon would fit it: what follows must be known as well.
    if (en === ANYWHERE && inKorean(facts['why'] as string) === null) return null
    return ko.replace(/\{(\w+)\}/g, (_, name: string) => inKorean(facts[name] as string) ?? (facts[name] as string))
  }
  return null
}

/** As text; one that nobody has translated stays as it came. */
export function said(text: string): string {
  if (language.value !== 'ko') return text
  void learn()
  return inKorean(text) ?? text
}

/** The same; what stays as it came says in which language that is. */
export function Said({ text }: { text: string }) {
  const told = said(text)
  return language.value === 'ko' && told === text ? <span class="said" lang="en">{text}</span> : <>{told}</>
}
