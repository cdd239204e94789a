"""How good music is, whether it obeyed, what it copied, which music fits."""
