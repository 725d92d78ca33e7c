/** Numbers and times for people, in their language. */
import { locale } from './words'

// To make a format takes a tenth of a millisecond, and a table of runs has thousands of figures.
const kept = new Map<string, unknown>()
function once<T>(name: string, make: () => T): T {
  const key = locale.value + name
  if (!kept.has(key)) kept.set(key, make())
  return kept.get(key) as T
}

const format = (options: Intl.NumberFormatOptions): Intl.NumberFormat =>
  once(JSON.stringify(options), () => new Intl.NumberFormat(locale.value, options))

export const whole = (value: number | null | undefined): string =>
  value == null || !Number.isFinite(value) ? '–' : format({ maximumFractionDigits: 0 }).format(value)

/** Three or four digits that count: 0.00123, 12.3, 1,234, 1.2e-7. */
export function figure(value: number | null | undefined, digits = 3): string {
  if (value == null) return '–'
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e9))
    return value.toExponential(digits - 1).replace('-', '−')
  if (size >= 1e5) return compact(value).replace('-', '−')
  const shown = size >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits }
  return format(shown).format(value).replace('-', '−')
}

/** Counts on axes and in tables: 950, 12.3k, 1.2M; the same in every language, as engineers write it. */
export function compact(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  for (const [unit, name] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const)
    if (size >= unit) return `${trim(value / unit)}${name}`
  return trim(value)
}

const trim = (value: number, digits = 3): string => String(Number(value.toPrecision(digits)))

export const percent = (share: number | null | undefined, digits = 0): string =>
  share == null || !Number.isFinite(share)
    ? '–'
    : format({ style: 'percent', maximumFractionDigits: digits }).format(share)

export function bytes(count: number | null | undefined, digits = 3): string {
  if (count == null || !Number.isFinite(count)) return '–'
  for (const [unit, name] of [[1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB']] as const)
    if (Math.abs(count) >= unit) return `${trim(count / unit, digits)} ${name}`
  return `${Math.round(count)} B`
}

/** A span of time: 42 s, 3 min 05 s, 2 h 07 min, 3 d 4 h. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return '–'
  const s = Math.round(seconds)
  const [min, h, d] = [Math.floor(s / 60), Math.floor(s / 3600), Math.floor(s / 86400)]
  const two = (n: number) => String(n).padStart(2, '0')
  const ko = locale.value === 'ko-KR'
  const u = ko ? { s: '초', min: '분', h: '시간', d: '일' } : { s: ' s', min: ' min', h: ' h', d: ' d' }
  if (s < 60) return `${s}${u.s}`
  if (s < 3600) return `${min}${u.min} ${two(s % 60)}${u.s}`
  if (s < 86400) return `${h}${u.h} ${two(min % 60)}${u.min}`
  return `${d}${u.d} ${h % 24}${u.h}`
}

const time = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  once(`time ${JSON.stringify(options)}`, () => new Intl.DateTimeFormat(locale.value, options))

export const moment = (unixS: number | null | undefined): string =>
  unixS == null ? '–' : time({ dateStyle: 'medium', timeStyle: 'short' }).format(unixS * 1000)

export const clockTime = (unixS: number): string => time({ timeStyle: 'medium' }).format(unixS * 1000)
