"""The demo's story: what AWS shows at one moment (snapshot), what happened between two snapshots
(moments), how it is shown (show), and the figures at the end (calls, summary).
"""
