"""BiCodec (Spark-TTS): semantic and global speech tokens, and speech from them."""
