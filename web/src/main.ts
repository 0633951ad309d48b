import '@fontsource-variable/commissioner/wght.css';
import './ui/tokens.css';
import './ui/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { theme } from './ui/theme.svelte';

theme.apply();

const target = document.getElementById('app');
if (!target) throw new Error('index.html has an element #app');
export default mount(App, { target });
