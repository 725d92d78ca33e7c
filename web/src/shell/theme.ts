import { computed, effect, signal } from '@preact/signals'
import { remember, remembered } from './memory'

export type Theme = 'auto' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['auto', 'light', 'dark']

const query = globalThis.matchMedia?.('(prefers-color-scheme: dark)')
const systemDark = signal(query?.matches ?? false)
query?.addEventListener('change', (event) => (systemDark.value = event.matches))

const kept = remembered('theme') as Theme | null
export const theme = signal<Theme>(kept && THEMES.includes(kept) ? kept : 'auto')
export const dark = computed(() =>
  theme.value === 'auto' ? systemDark.value : theme.value === 'dark',
)

effect(() => {
  remember('theme', theme.value)
  if (globalThis.document) document.documentElement.dataset['theme'] = dark.value ? 'dark' : 'light'
})

export function toggleTheme(): void {
  theme.value = dark.value ? 'light' : 'dark'
}
