"""The demo's story: what AWS's API shows (look), what happened since the last look (moments), how
it is told (show), what it took (calls, summary).
"""
