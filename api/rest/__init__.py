"""How an operation is declared, compiled and carried out."""
