"""Whet: a trained model in, one small proven artifact out."""
