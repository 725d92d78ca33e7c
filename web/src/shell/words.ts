/** Which language the page speaks, and how each page brings its own words. */
import { computed, effect, signal } from '@preact/signals'
import { remember, remembered } from './memory'

export type Language = 'en' | 'ko'
export const LANGUAGES: readonly Language[] = ['en', 'ko']

const preferred = (): Language => {
  const kept = remembered('language')
  if (kept === 'en' || kept === 'ko') return kept
  return globalThis.navigator?.language?.startsWith('ko') ? 'ko' : 'en'
}

export const language = signal<Language>(preferred())
export const locale = computed(() => (language.value === 'ko' ? 'ko-KR' : 'en-GB'))

effect(() => {
  remember('language', language.value)
  if (globalThis.document) document.documentElement.lang = language.value
})

type Facts = Record<string, string | number>

/**
 * The words of one page. English names the keys; the type of `ko` demands every one of them, so that a
 * missing translation fails the build. `{name}` in a text is replaced by the fact of that name.
 */
export function words<K extends string>(en: Record<K, string>, ko: Record<NoInfer<K>, string>) {
  const texts = { en, ko }
  const say = (key: K, facts?: Facts): string => fill(texts[language.value][key], facts)
  return Object.assign(say, {
    texts,
    /** For words that come from outside, such as a termination reason: undefined where there is none. */
    maybe: (key: string): string | undefined =>
      Object.hasOwn(en, key) ? texts[language.value][key as K] : undefined,
  })
}

function fill(text: string, facts?: Facts): string {
  return facts ? text.replace(/\{(\w+)\}/g, (whole, name) => String(facts[name] ?? whole)) : text
}
