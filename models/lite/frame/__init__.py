"""The frame network: joints of one person in one picture. Imports no other part of `lite`."""
